"""Many runs. `freeze` turns a command line into specs; `grid` skips finished ones and hands the others to an engine.

`local` is this machine's engine, of the interface in `engine`; its processes start as `processes` says. `describe`,
`run_process`, `timing` and `verify` are the work done in them; `worker` is one of several devices of one run.
"""
