"""Finishes frames whose tiles are complete: tail, decoding, publication, verification."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from gateway.cluster.cluster_listener import ComputedFrame
from gateway.cluster.frame_latency import divide_latency
from gateway.cluster.frame_order import FrameOrder
from gateway.cluster.trust.attribution import find_faults
from gateway.cluster.trust.sampling import ResultSampler
from gateway.cluster.trust.verification import VerificationFolder, fetch_picture
from gateway.cluster.whole_frame import WholeFrame
from shared.detection.detector import DetectionResult
from shared.errors import BrokerError, DeepThingsError, PeerLostError
from shared.model.letterbox import Letterbox
from shared.mqtt import topics
from shared.network.hosts import is_loopback
from shared.payloads.cluster import FrameDetections, Latency, Verification
from shared.payloads.frames import Outcome
from shared.security.data_security import ExpectedPeer
from shared.security.member_list import Role
from shared.tracing.spans import Part, tracer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from gateway.broker.planes import Planes
    from gateway.cluster.cluster_listener import FetchPicture
    from gateway.cluster.collector import Assembly
    from gateway.cluster.running_plans import RunningPlan
    from gateway.cluster.trust.attribution import NodeFault
    from gateway.cluster.trust.verification import VerificationResult
    from gateway.options import GatewayOptions
    from shared.detection.detector import Detector
    from shared.model.arrays import Pixels
    from shared.network.addresses import Address
    from shared.payloads.bridge import FrameTime
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)


class Finisher:
    """Finishes complete frames one after the other; network and decoding run in a separate thread."""

    def __init__(
        self,
        options: GatewayOptions,
        bus: Planes,
        traffic: WireTraffic,
        find_program: Callable[[str], bytes | None],
        address_of: Callable[[str], Address | None],
        observe: Callable[[FrameDetections, FetchPicture, float], Awaitable[None]],
        has_outcome: Callable[[str], bool],
        outcome_sent: Callable[[str], Awaitable[None]],
        suspected: Callable[[Assembly], bool],
        on_wrong_tiles: Callable[[Assembly, Mapping[str, NodeFault], VerificationResult], None],
        on_frame_time: Callable[[FrameTime], None] = lambda _: None,
        on_frame_computed: Callable[[ComputedFrame], None] = lambda _: None,
    ) -> None:
        """Begin with no frames.

        `find_program(sha256)` returns a program, to compute sampled frames again.
        `address_of(node)` returns the address of a node, None if it is offline.
        `observe` is called with each frame's detections, a function that fetches its picture, and the time at which the
        gateway received the frame (monotonic seconds).
        `has_outcome(frame)` returns whether a frame has an outcome; `outcome_sent(owner)` waits until an owner's
        outcomes are sent.
        `suspected(assembly)` returns whether a frame is to be verified out of turn.
        `on_wrong_tiles` is called for a frame with wrong tiles, `on_frame_time` with the times of each published frame,
        `on_frame_computed` with the workers of its tiles.
        """
        self._on_frame_time = on_frame_time
        self._on_frame_computed = on_frame_computed
        self._suspected = suspected
        self._on_wrong_tiles = on_wrong_tiles
        self._bus = bus
        self._traffic = traffic
        self._address_of = address_of
        self._observe = observe
        self._has_outcome = has_outcome
        self._outcome_sent = outcome_sent
        self._pictures = VerificationFolder(options.pictures)
        share = 0.0 if options.verify_every else options.verify_share / 100
        self._sampler = ResultSampler(share, find_program, self._publish_verification)
        self._thread = ThreadPoolExecutor(1, "tail")
        self._order: FrameOrder[tuple[RunningPlan, Assembly]] = FrameOrder(has_outcome)
        self._release_timer: asyncio.TimerHandle | None = None
        self._complete: asyncio.Queue[tuple[RunningPlan, Assembly]] = asyncio.Queue()  # bounded by open frames

    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each present edge whose results cannot be checked."""
        return tuple(text for edge, text in self._sampler.unseen.items() if self._address_of(edge) is not None)

    def finish_soon(self, running: RunningPlan, assembly: Assembly) -> None:
        """Finish a complete frame, after the earlier frames of its camera that are still under way."""
        now = time.monotonic()
        self._order.add((running, assembly), assembly.info, assembly.duration_s(now), now)
        self.release_frames()

    def _release(self, complete: Iterable[tuple[RunningPlan, Assembly]]) -> None:
        """Queue frames for finishing that need not wait for earlier ones."""
        now = time.monotonic()
        for running, assembly in complete:
            # A frame without earlier ones did not wait at all.
            assembly.released_at = now if assembly.info.after else assembly.completed_at
            self._complete.put_nowait((running, assembly))

    def release_frames(self) -> None:
        """Queue the frames for finishing that need not wait for earlier ones any more.

        Called after each new complete frame, after the end of any frame, and when a frame has waited long enough.
        """
        now = time.monotonic()
        self._release(self._order.take_ready(now))
        if self._release_timer is not None:
            self._release_timer.cancel()
        due = self._order.next_due()
        self._release_timer = (
            None if due is None else asyncio.get_running_loop().call_later(max(0.0, due - now), self.release_frames)
        )

    async def wait_finished(self) -> None:
        """Wait until all complete frames are published or dropped."""
        self._release(self._order.take_all())
        await self._complete.join()

    async def run(self, decide: Callable[[Assembly, Outcome], bool], free: Callable[[Assembly], None]) -> None:
        """Finish frames until cancelled.

        `decide` is called with a frame's outcome as soon as it is known; it returns False when the frame has one.
        `free` is called when the frame's maps are not needed any more.
        """
        try:
            while True:
                running, assembly = await self._complete.get()
                try:
                    await self._finish(running, assembly, decide)
                except DeepThingsError as error:
                    log.warning("%s: %s", assembly.info.frame, error)
                except Exception:  # the failure of one frame must not stop the others
                    log.exception("%s could not be finished", assembly.info.frame)
                if not self._has_outcome(assembly.info.frame):
                    decide(assembly, Outcome.FAILED)
                free(assembly)
                self._complete.task_done()
        finally:
            self._sampler.cancel()
            if self._release_timer is not None:
                self._release_timer.cancel()

    async def _detect(self, running: RunningPlan, assembly: Assembly) -> DetectionResult:
        """Return the objects in a complete frame: those that its worker has found, or those that the tail finds now."""
        info, partitioned = assembly.info, running.partitioned
        if isinstance(assembly.merged, WholeFrame):
            assert assembly.merged.objects is not None, "only complete frames are finished"
            objects = assembly.merged.objects.describe((info.height, info.width), partitioned.spec.labels)
            tracer.since(Part.FINISH, info.frame, assembly.released_at)
            return DetectionResult(objects, 0.0)
        letterbox = Letterbox.for_picture(
            (info.height, info.width), partitioned.model.network.input_size, partitioned.spec.preprocessing
        )
        assert running.detector is not None, "a plan of tiles has a detector at the gateway"
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, _run_tail, running.detector, assembly, letterbox
        )

    async def _finish(
        self, running: RunningPlan, assembly: Assembly, decide: Callable[[Assembly, Outcome], bool]
    ) -> None:
        info = assembly.info
        result = await self._detect(running, assembly)
        if self._has_outcome(info.frame):
            return  # its owner has given it up meanwhile, and has got that outcome
        if not self._bus.cluster_connected.is_set():
            raise BrokerError("not published: the cluster's broker is not connected")
        begun, detections = time.monotonic(), self._detections(running, assembly, result)
        # The outcome is sent to the owner before the detections are published. In the other order, a process that is
        # killed here would have published a frame that its owner counts as dropped.
        decide(assembly, Outcome.PUBLISHED)
        await self._outcome_sent(assembly.owner)
        self._on_frame_computed(
            ComputedFrame(
                info.frame, info.camera, assembly.owner, detections.image, assembly.workers, running.partitioned
            )
        )
        await self._bus.publish(topics.DETECTIONS, detections, info.camera)
        tracer.since(Part.PUBLISH, info.frame, begun)
        self._on_frame_time(divide_latency(detections.latency_ms, assembly.last))
        log.debug("%s: %s objects in %.0f ms", info.frame, len(result.objects), detections.latency_ms.total)
        try:
            fetch = partial(self._fetch_picture, assembly, for_people=True)
            await self._observe(detections, fetch, assembly.received_at)
            await self._examine(running, assembly, detections)
        except DeepThingsError as error:
            log.warning("%s is published, but not examined further: %s", info.frame, error)
        except Exception:  # the frame is published, so its outcome must not change
            log.exception("%s is published, but not examined further", info.frame)

    @staticmethod
    def _detections(running: RunningPlan, assembly: Assembly, result: DetectionResult) -> FrameDetections:
        info, now = assembly.info, time.time()
        waited_ms = (time.monotonic() - assembly.released_at) * 1e3 - result.decode_ms
        return FrameDetections(
            camera=info.camera,
            frame=info.frame,
            number=info.number,
            captured_at=info.captured_at,
            published_at=now,
            latency_ms=Latency(
                total=round((now - info.captured_at) * 1e3, 1),
                transfer=round(info.transfer_ms, 1),
                prepare=round(info.prepare_ms, 1),
                tiles=round((assembly.completed_at - assembly.opened_at) * 1e3, 1),
                order=round((assembly.released_at - assembly.completed_at) * 1e3, 1),
                tail=round(waited_ms, 1),
                decode=round(result.decode_ms, 1),
            ),
            model=running.partitioned.spec.name,
            grid=assembly.grid,
            image=(info.width, info.height),
            objects=result.objects,
            nodes=assembly.tile_counts(),
            duplicates=assembly.duplicates,
        )

    async def _examine(self, running: RunningPlan, assembly: Assembly, detections: FrameDetections) -> None:
        """Verify a published frame, compute it again as a sample, and write its annotated picture, as far as due."""
        info, suspected = assembly.info, self._suspected(assembly)
        verify = running.verifier.next_is_due(suspected=suspected)
        write_picture = self._pictures.is_due(info.camera)
        sample = self._sampler.take(running, assembly, suspected=suspected)
        if not (verify or write_picture or sample):
            return
        try:
            picture = await self._fetch_picture(assembly, for_people=False)
        except DeepThingsError as error:
            if sample is not None:
                self._sampler.note_picture(assembly.owner, shown=False)
            if verify or write_picture:
                raise
            log.debug("%s is not computed again: %s", info.frame, error)
            return
        if verify:
            result = await asyncio.get_running_loop().run_in_executor(
                self._thread, running.verifier.verify, picture, assembly.merged
            )
            await self._publish_verification(running, assembly, result)
        if sample is not None:
            self._sampler.note_picture(assembly.owner, shown=True)
            self._sampler.check_soon(sample, picture)
        if write_picture:
            await asyncio.to_thread(self._pictures.write_annotated, info.camera, picture, detections.objects)

    async def _publish_verification(self, running: RunningPlan, assembly: Assembly, result: VerificationResult) -> None:
        """Publish the result of a verification, and report the nodes that computed wrong tiles."""
        found = find_faults(result.wrong, assembly.workers, running.partitioned.stages)
        if result.wrong:
            self._on_wrong_tiles(assembly, found, result)
        message = Verification(
            frame=assembly.info.frame,
            max_abs_diff=result.difference.max_abs_diff,
            map_std=result.difference.map_std,
            wrong={node: fault.tiles for node, fault in found.items()},
        )
        await self._bus.publish(topics.BRIDGE_VERIFICATION, message)

    async def _fetch_picture(self, assembly: Assembly, *, for_people: bool) -> Pixels:
        """Fetch a frame's picture, uint8 BGR (H, W, 3), from its owner.

        Pictures `for_people` come as JPEG if the owner is another device; others are exact. Raises PeerLostError,
        ProtocolError.
        """
        address = self._address_of(assembly.owner)
        if address is None:
            raise PeerLostError(f"its owner {assembly.owner} is offline")
        jpeg = for_people and not is_loopback(address.host)
        return await fetch_picture(
            address, assembly.info, self._traffic, ExpectedPeer(Role.EDGE, assembly.owner), jpeg=jpeg
        )


def _run_tail(detector: Detector, assembly: Assembly, letterbox: Letterbox) -> DetectionResult:
    """Run the tail and the decoding, and record their spans. It runs in the thread of the tail."""
    assert not isinstance(assembly.merged, WholeFrame), "the objects of a whole frame are found by its worker"
    frame, begin, cpu_begin = assembly.info.frame, time.monotonic(), time.thread_time()
    result = detector.detect(assembly.merged.maps, letterbox)
    end, cpu_s, decode_cpu_s = time.monotonic(), time.thread_time() - cpu_begin, result.decode_cpu_ms / 1e3
    decoding = end - result.decode_ms / 1e3
    tracer.record(Part.FINISH, frame, assembly.released_at, begin)
    tracer.record(Part.TAIL, frame, begin, decoding, cpu_s=max(0.0, cpu_s - decode_cpu_s))
    tracer.record(Part.DECODE, frame, decoding, end, cpu_s=decode_cpu_s)
    return result
