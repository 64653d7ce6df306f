"""A finished method and the decision that its images serve.

`observe` lets a frozen observer read them for a finding, whose scores are their task-based quality. `sensitivity_map`
tells how a method's own finding depends on each region of the object.
"""
