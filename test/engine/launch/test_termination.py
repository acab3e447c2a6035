import os
import signal
import threading

import pytest

from fastreid.engine.launch.termination import EXIT_CODE, Termination


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_waits_until_it_is_obeyed(caplog):
    termination = Termination()
    with termination.listening():
        termination.obey()
        terminate()
        assert termination.requested
        with pytest.raises(SystemExit) as ended:
            termination.obey()
    assert ended.value.code == EXIT_CODE == 143
    assert "SIGTERM" in caplog.text


def test_sigterm_ends_an_interruptible_block_at_once(caplog):
    termination, done = Termination(), []
    with termination.listening(), pytest.raises(SystemExit), termination.at_once():
        terminate()
        done.append(1)
    assert done == []
    assert [record.getMessage() for record in caplog.records] == [
        "Ending after SIGTERM; --resume continues from the last checkpoint"
    ]
    with pytest.raises(SystemExit), termination.at_once():
        done.append(2)
    assert done == []


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN, lambda *_: None])
def test_the_handler_of_sigterm_is_restored_afterwards(before):
    mine = signal.signal(signal.SIGTERM, before)
    try:
        with pytest.raises(KeyError), Termination().listening():
            raise KeyError
        assert signal.getsignal(signal.SIGTERM) == before
    finally:
        signal.signal(signal.SIGTERM, mine)


def test_other_threads_do_not_handle_sigterm():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def listen():
        with Termination().listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [before]
