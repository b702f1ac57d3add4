"""What both sides speak: networks, tiles, engine, data plane and bus. Knows nothing of gateway or edge."""

import os

# What cameras see stays in the house, and so does how much is computed of it: onnxruntime reports its use to Microsoft
# unless it is told before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
