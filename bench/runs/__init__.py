"""One run as a record. Start with `spec` (what is asked) and `run` (what is done), then `run_directory` and `records`.

`key` and `provenance` tell which code and data a number comes from; `store` makes directories whole or not at all;
`checkpoints` and `archive` (with `unpacking`) carry finished runs on; `privacy` keeps paths out of them.
"""
