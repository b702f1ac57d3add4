"""What happens to a frame whose tiles are all there: tail, decoding, publication, proof."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from gateway.cluster.trust.attribution import find_faults
from gateway.cluster.trust.verification import VerificationFolder, Verifier, fetch_picture
from gateway.models.detection import Detector, Findings
from shared.errors import BrokerError, DeepThingsError, PeerLostError
from shared.model.letterbox import Letterbox
from shared.mqtt import topics
from shared.payloads.cluster import FrameDetections, Latency, Verification
from shared.payloads.frames import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.broker.planes import Planes
    from gateway.cluster.cluster_listener import FetchPicture
    from gateway.cluster.collector import Assembly
    from gateway.cluster.trust.attribution import NodeFault
    from gateway.cluster.trust.verification import VerificationResult
    from gateway.options import GatewayConfig
    from gateway.planning.partitioned import PartitionedModel
    from shared.model.letterbox import Pixels
    from shared.network.addresses import Address
    from shared.wire.connection import Traffic

log = logging.getLogger(__name__)


class Finisher:
    """Takes complete frames one after the other; the heavy part runs in a thread of its own."""

    def __init__(
        self,
        config: GatewayConfig,
        partitioned: PartitionedModel,
        bus: Planes,
        traffic: Traffic,
        address_of: Callable[[str], Address | None],
        observe: Callable[[FrameDetections, FetchPicture, float], Awaitable[None]],
        decided: Callable[[str], bool],
        suspected: Callable[[Assembly], bool],
        found_wrong: Callable[[Assembly, Mapping[str, NodeFault], VerificationResult], None],
    ) -> None:
        """`observe` is called with each frame's detections, how to get its picture, which its owner keeps so long, and
        when it was heard of (monotonic seconds).

        `decided` says whether a frame has an outcome already. A frame that is `suspected` is verified, where frames
        are; `found_wrong` is called when one is proved wrong.
        """
        self._suspected = suspected
        self._found_wrong = found_wrong
        self._partitioned = partitioned
        self._bus = bus
        self._traffic = traffic
        self._address_of = address_of
        self._observe = observe
        self._decided = decided
        self._detector = Detector(partitioned, config.threads)
        self._verifier = Verifier(partitioned, config.verify_every, config.threads)
        self._pictures = VerificationFolder(config.pictures)
        self._thread = ThreadPoolExecutor(1, "tail")
        self._complete: asyncio.Queue[Assembly] = asyncio.Queue()  # never more than the collector has frames

    def finish_soon(self, assembly: Assembly) -> None:
        """The frame's turn will come."""
        self._complete.put_nowait(assembly)

    async def wait_finished(self) -> None:
        """Wait until every frame so far is published or given up, and its owner told."""
        await self._complete.join()

    async def run(self, decide: Callable[[Assembly, Outcome], bool], free: Callable[[Assembly], None]) -> None:
        """Finish frames until cancelled.

        `decide` is told a frame's outcome the moment it is known; it returns False when there was one already. `free`
        says that the frame's maps are not needed any more.
        """
        while True:
            assembly = await self._complete.get()
            try:
                await self._finish(assembly, decide)
            except DeepThingsError as error:
                log.warning("%s: %s", assembly.info.frame, error)
            except Exception:  # one frame's failure must not end the others
                log.exception("%s could not be finished", assembly.info.frame)
            decide(assembly, Outcome.FAILED)  # unless it is published
            free(assembly)
            self._complete.task_done()

    async def _finish(self, assembly: Assembly, decide: Callable[[Assembly, Outcome], bool]) -> None:
        info = assembly.info
        partitioned = self._partitioned
        letterbox = Letterbox.of(
            (info.height, info.width), partitioned.model.network.input_size, partitioned.spec.preprocessing
        )
        findings = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._detector.detect, assembly.merged.maps, letterbox
        )
        if self._decided(info.frame):
            return  # its owner has given it up meanwhile: it was told so, and so it stays
        if not self._bus.cluster_connected.is_set():
            raise BrokerError("not published: there is no connection to the broker")
        detections = self._detections(assembly, findings)
        decide(assembly, Outcome.PUBLISHED)
        # In the same turn of the loop: were we killed now, nobody would have seen a frame whose owner is not told.
        await asyncio.create_task(self._bus.publish(topics.DETECTIONS, detections, info.camera))
        log.debug("%s: %s objects in %.0f ms", info.frame, len(findings.objects), detections.latency_ms.total)
        try:
            await self._observe(detections, lambda: self._fetch_picture(assembly), assembly.opened_at)
            await self._examine(assembly, detections)
        except DeepThingsError as error:
            log.warning("%s is published, but not looked at further: %s", info.frame, error)
        except Exception:  # published it is, whatever happens then
            log.exception("%s is published, but not looked at further", info.frame)

    def _detections(self, assembly: Assembly, findings: Findings) -> FrameDetections:
        info, now = assembly.info, time.time()
        waited_ms = (time.monotonic() - assembly.completed_at) * 1e3 - findings.decode_ms
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
                tail=round(waited_ms, 1),
                decode=round(findings.decode_ms, 1),
            ),
            model=self._partitioned.spec.name,
            grid=assembly.grid,
            image=(info.width, info.height),
            objects=findings.objects,
            nodes=assembly.tile_counts(),
            duplicates=assembly.duplicates,
        )

    async def _examine(self, assembly: Assembly, detections: FrameDetections) -> None:
        info = assembly.info
        wants_verification = self._verifier.next_is_due(suspected=self._suspected(assembly))
        wants_picture = self._pictures.is_due(info.camera)
        if not (wants_verification or wants_picture):
            return
        picture = await self._fetch_picture(assembly)
        if wants_verification:
            proof = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._verifier.verify, picture, assembly.merged
            )
            await self._publish_verification(assembly, proof)
        if wants_picture:
            await asyncio.to_thread(self._pictures.write_annotated, info.camera, picture, detections.objects)

    async def _publish_verification(self, assembly: Assembly, proof: VerificationResult) -> None:
        """A frame that is proved wrong has been published already; those who computed it are known."""
        found = find_faults(proof.wrong, assembly.workers, self._partitioned.stages)
        if proof.wrong:
            self._found_wrong(assembly, found, proof)
        message = Verification(
            frame=assembly.info.frame,
            max_abs_diff=proof.difference.max_abs_diff,
            map_std=proof.difference.map_std,
            wrong={node: fault.tiles for node, fault in found.items()},
        )
        await self._bus.publish(topics.BRIDGE_VERIFICATION, message)

    async def _fetch_picture(self, assembly: Assembly) -> Pixels:
        address = self._address_of(assembly.owner)
        if address is None:
            raise PeerLostError(f"its owner {assembly.owner} is gone")
        return await fetch_picture(address, assembly.info.frame, self._traffic)
