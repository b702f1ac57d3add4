"""The parts that gateway, edge and cameras share: networks, tiles, engine, data plane and bus. Imports none of them."""

import os

# Data of the cameras stays in the home, and so do statistics: onnxruntime reports its use to Microsoft unless this
# variable is set before the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
