"""Figures of the paper and of its authors' program, to compare with ours."""

from __future__ import annotations

PEAK_REDUCTION = {"FTP 3x3": 0.58, "FTP 5x5": 0.68}
"""Reduction of the largest memory per device against the whole, by division."""

LAYER_REDUCTION = {"FTP 3x3": 0.69, "FTP 5x5": 0.79, "BODP, 4 devices": 0.67}
"""Mean reduction over the layers."""

BYTES_REDUCTION = 0.52
"""Reduction of FTP-WST, without reuse, against FTP-WSH, mean over two to six devices."""

REUSE_MEGABYTES = (0.9, 1.4)
"""More that FTP-WST-S sends, in MB a frame."""

SPEED_UP = 3.5
"""Latency of FTP-WST-S, one device that computes the same tiles against six."""

MODNN_SPEED_UP = 2.1
REUSE_REDUCTION = 0.27
"""Reduction of the latency by reuse-aware scheduling, mean over all grids."""

REUSE_REDUCTIONS = {"3x3": 0.16, "5x5": 0.33}
"""The same by grid, mean over the numbers of devices."""

SOURCES_LATENCY = 3.1
"""Largest latency with six sources against one."""

SOURCES_THROUGHPUT, BEST_SOURCES_THROUGHPUT = 1.8, 2.4
"""Frames a second, FTP-WST-S against MoDNN, with one to six sources on six devices: in the mean, and at best."""

AUTHORS_UNTILED_S = 4.56
"""One edge of the authors' program running the 16 layers untiled, on a cluster emulated like this one."""

AUTHORS_LINK_MBIT = 100.0
AUTHORS = {
    ("ftp-wst", "3x3"): {1: (6.68, 1.6), 2: (3.71, 6.0), 4: (2.30, 8.6), 6: (1.82, 9.1)},
    ("ftp-wst-s", "3x3"): {1: (4.50, 3.6), 2: (2.36, 7.4), 4: (2.10, 9.7), 6: (1.82, 10.8)},
    ("ftp-wst", "5x5"): {1: (9.92, 1.6), 2: (5.31, 9.3), 4: (2.84, 12.9), 6: (2.10, 13.9)},
    ("ftp-wst-s", "5x5"): {1: (6.04, 4.7), 2: (3.37, 10.8), 4: (1.79, 13.3), 6: (1.94, 15.1)},
}
"""Seconds and MB a frame of the authors' program with that link, by method and grid and devices."""

AUTHORS_THIN_EDGES = 6
AUTHORS_THIN = {
    ("ftp-wst", "3x3"): 3.10,
    ("ftp-wst-s", "3x3"): 3.53,
    ("ftp-wst", "5x5"): 4.20,
    ("ftp-wst-s", "5x5"): 4.01,
}
"""Seconds at 20 Mbit/s with six devices."""

AUTHORS_SPEED_UP = AUTHORS_UNTILED_S / 1.82
"""Six devices against one that computes the 16 layers untiled."""
