"""Pictures that somebody publishes, through a real broker."""

from __future__ import annotations

import asyncio
import contextlib

import cv2
import numpy as np
import pytest

from gateway.demo.cluster import free_port
from shared.addresses import LOOPBACK
from tests.cameras import SECRET, assigned, desk

STALE_S = 2.0
