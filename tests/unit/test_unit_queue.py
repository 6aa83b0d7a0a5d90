"""The units in a worker's hands: each goes to one lane, and no lane waits in vain."""

from __future__ import annotations

import asyncio

from ddbio.engines.unit_queue import UnitQueue
from ddbio.messages import SegmentUnit, Unit

UNITS = [SegmentUnit(number, number, 9) for number in range(9)]


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_each_unit_goes_to_one_lane_in_order_and_is_said_to_have_begun() -> None:
    async def main() -> None:
        began: list[Unit] = []
        queue = UnitQueue(began.append)
        lanes = [asyncio.ensure_future(queue.next()) for _ in range(3)]
        await _turns()
        assert not any(lane.done() for lane in lanes)
        queue.give(UNITS[0])
        queue.give(UNITS[1])
        await _turns()
        assert [lane.done() for lane in lanes] == [True, True, False]
        assert began == UNITS[:2] == [lane.result() for lane in lanes[:2]]
        queue.finish()
        assert await lanes[2] is None and await queue.next() is None

    asyncio.run(main())


def test_a_unit_is_not_lost_to_a_lane_that_was_cancelled() -> None:
    async def main() -> None:
        queue = UnitQueue(lambda unit: None)
        first, second = (asyncio.ensure_future(queue.next()) for _ in range(2))
        await _turns()
        first.cancel()
        queue.give(UNITS[0])
        assert await second is UNITS[0]

    asyncio.run(main())


def test_units_in_hand_are_worked_before_the_end_or_left_to_others() -> None:
    async def main() -> None:
        finishing, dropping = UnitQueue(lambda unit: None), UnitQueue(lambda unit: None)
        for each in (finishing, dropping):
            each.give(UNITS[0])
        finishing.finish()
        assert [await finishing.next(), await finishing.next()] == [UNITS[0], None]
        dropping.drop()
        assert await dropping.next() is None

    asyncio.run(main())
