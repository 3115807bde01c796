"""The order of sound packets."""

import asyncio
import random

import pytest
from aiortc import RTCPeerConnection
from aiortc.rtp import RtpPacket

from stream.live.webrtc.audio_jitter_buffer import DEPTH, AudioJitterBuffer, keep_sound_together


def packet(number):
    made = RtpPacket(sequence_number=number & 0xFFFF, timestamp=(number * 960) & 0xFFFFFFFF)
    made._data = str(number).encode()
    return made


def given(numbers, buffer=None):
    """What comes out, and how many packets had come when it did."""
    buffer = buffer or AudioJitterBuffer()
    out = [(count, buffer.add(packet(number))) for count, number in enumerate(numbers, 1)]
    assert not any(flag for _, (flag, _) in out)
    return [(int(frame.data), count) for count, (_, frame) in out if frame is not None]


def test_pieces_come_in_order_when_four_more_are_there():
    assert given(range(10)) == [(k, k + DEPTH + 1) for k in range(6)]


def test_the_numbers_may_run_over():
    first = 65_530
    assert [number for number, _ in given(range(first, first + 30))] == list(range(first, first + 26))


def test_what_comes_out_of_order_is_put_in_order():
    assert [number for number, _ in given([0, 2, 1, 3, 5, 6, 4, 7, 9, 8, 10, 11, 12])] == list(range(9))


def test_a_lost_piece_costs_nothing_but_itself():
    rest = [number for number in range(40) if number not in (10, 12, 13, 25)]
    found = given(rest)
    assert [number for number, _ in found] == [number for number in rest if number < 36]
    behind = {number: rest[count - 1] - number for number, count in found}
    assert max(behind.values()) <= DEPTH + 3, "a packet that does not come takes none along"
    assert {behind[number] for number in (*range(14, 21), *range(26, 36))} == {DEPTH}, "then no later than before"


def test_what_comes_too_late_or_twice_is_left_out():
    came = [0, 2, 3, 4, 5, 6, 1, 6, 7, 8, 9, 10, 2, 11, 12]
    found = given(came)
    assert [number for number, _ in found] == [0, 2, 3, 4, 5, 6, 7, 8]
    assert all(max(came[:count]) - number >= DEPTH - 1 for number, count in found), "the lost one counts as one"


@pytest.mark.parametrize("jump", [5000, -5000, 40_000])
def test_a_sender_that_begins_anew_is_followed(jump):
    found = given([*range(100, 120), *range(20_000 + jump, 20_000 + jump + 20)])
    assert [number for number, _ in found][-16:] == list(range(20_000 + jump, 20_000 + jump + 16))


@pytest.mark.parametrize("lost", [0.01, 0.03, 0.1])
def test_loss_and_jitter_of_a_network(lost):
    """Packets of 20 ms that take 10 to 30 ms."""
    chance = random.Random(3)
    sent = [(20 * number + chance.uniform(10, 30), number) for number in range(5000) if chance.random() >= lost]
    found = given(number for _, number in sorted(sent))
    assert len(found) >= len(sent) - DEPTH


def test_a_receiver_takes_it():
    """aiortc names the attribute as it likes: this fails where it changes that."""

    async def go():
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("audio").receiver
        keep_sound_together(receiver)
        assert isinstance(receiver._RTCRtpReceiver__jitter_buffer, AudioJitterBuffer)
        await connection.close()

    asyncio.run(go())
