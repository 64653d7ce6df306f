"""Networks from the measurement to a finding: a label map, a list of lesions.

No method stands here yet.
"""
