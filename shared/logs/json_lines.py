"""Lines of the log as JSON, for programs that collect logs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

LOG_VARIABLE, LOG_AS_JSON = "DEEPTHINGS_LOG", "json"
"""The environment variable, which child processes inherit, and its value that asks for JSON."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object on one line: time (UTC), level, logger, message, and an exception if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)
