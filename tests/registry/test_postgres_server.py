"""The server that the tests of both databases share."""

import os
import signal

import pytest

from testing.postgres import PostgresServer


def test_a_signal_to_the_tests_does_not_reach_it_and_one_that_ended_is_started_again(postgres: PostgresServer) -> None:
    before = postgres.fresh()
    assert os.getpgid(postgres.process.pid) != os.getpgrp()
    postgres.process.send_signal(signal.SIGINT)
    postgres.process.wait(30)
    with pytest.warns(UserWarning, match="fast shutdown request"):
        after = postgres.fresh()
    assert after != before
