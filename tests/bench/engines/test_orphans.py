"""A process whose command was killed ends at its next word, and records no failure of its method."""

import multiprocessing

from bench.engines.processes import send_stage


def speak(connection):
    send_stage(connection, "evaluating 1/2")
    raise AssertionError("it went on")


def test_a_process_ends_where_nobody_listens():
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    receiver.close()
    process = context.Process(target=speak, args=(sender,))
    process.start()
    process.join(60)
    assert process.exitcode == 1
