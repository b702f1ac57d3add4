"""Figures of the paper and of its authors' program, to compare with ours."""

from __future__ import annotations

PEAK_REDUCTION = {"FTP 3x3": 0.58, "FTP 5x5": 0.68}
"""Reduction of the largest memory per device against the whole, by division."""

LAYER_REDUCTION = {"FTP 3x3": 0.69, "FTP 5x5": 0.79, "BODP, 4 devices": 0.67}
"""Reduction of the memory of a layer per device against the whole, mean over the layers, by division."""

BYTES_REDUCTION = 0.52
"""Reduction of the bytes of a frame by FTP-WST (without reuse) against FTP-WSH, mean over two to six devices."""

REUSE_MEGABYTES = (0.9, 1.4)
"""MB a frame that FTP-WST-S sends in addition to those of FTP-WST: the least and the most."""

SPEED_UP = 3.5
"""Latency of FTP-WST-S: one device that computes the same tiles, divided by six devices."""

MODNN_SPEED_UP = 2.1
"""Latency of MoDNN: one device divided by six devices."""

REUSE_REDUCTION = 0.27
"""Reduction of the latency by reuse-aware scheduling, mean over all grids."""

REUSE_REDUCTIONS = {"3x3": 0.16, "5x5": 0.33}
"""Reduction of the latency by reuse-aware scheduling, mean over the numbers of devices, by grid."""

SOURCES_LATENCY = 3.1
"""The largest latency with six sources, divided by the latency with one."""

SOURCES_THROUGHPUT, BEST_SOURCES_THROUGHPUT = 1.8, 2.4
"""Frames a second of FTP-WST-S divided by those of MoDNN, on six devices with one to six sources: mean and maximum."""

AUTHORS_UNTILED_S = 4.56
"""Seconds that one edge of the authors' program takes for the 16 layers untiled, on a cluster emulated like this one.
"""

AUTHORS_LINK_MBIT = 100.0
"""Rate of each device's link, at which the authors' program was measured."""

AUTHORS = {
    ("ftp-wst", "3x3"): {1: (6.68, 1.6), 2: (3.71, 6.0), 4: (2.30, 8.6), 6: (1.82, 9.1)},
    ("ftp-wst-s", "3x3"): {1: (4.50, 3.6), 2: (2.36, 7.4), 4: (2.10, 9.7), 6: (1.82, 10.8)},
    ("ftp-wst", "5x5"): {1: (9.92, 1.6), 2: (5.31, 9.3), 4: (2.84, 12.9), 6: (2.10, 13.9)},
    ("ftp-wst-s", "5x5"): {1: (6.04, 4.7), 2: (3.37, 10.8), 4: (1.79, 13.3), 6: (1.94, 15.1)},
}
"""Seconds and MB a frame of the authors' program with this link: by method and grid, and then by number of devices."""

AUTHORS_THIN_EDGES = 6
"""Devices in the measurement of the authors' program with slow links."""

AUTHORS_THIN = {
    ("ftp-wst", "3x3"): 3.10,
    ("ftp-wst-s", "3x3"): 3.53,
    ("ftp-wst", "5x5"): 4.20,
    ("ftp-wst-s", "5x5"): 4.01,
}
"""Seconds a frame of the authors' program at 20 Mbit/s with six devices, by method and grid."""

AUTHORS_SPEED_UP = AUTHORS_UNTILED_S / 1.82
"""Latency of the authors' program: one device that computes the 16 layers untiled, divided by the best of six devices.
"""
