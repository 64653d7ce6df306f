"""Many runs. `freeze` turns a command line into specs; `pending_runs` hands the unfinished ones to an engine.

`local` is this machine's engine, of the interface in `engine`; its processes start as `processes` says. `describe`,
`execute`, `finished_runs` and `rerun` are the work done in them; `worker` is one of several devices of one run.
"""
