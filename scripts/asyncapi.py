"""Makes an AsyncAPI 3.0 document and JSON Schemas of the public topics, from the models of their payloads. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from shared.payloads.base import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic.json_schema import JsonSchemaMode, JsonSchemaValue
    from pydantic_core import core_schema

JSON, TEXT, JPEG = "application/json", "text/plain", "image/jpeg"

DIALECT = "https://json-schema.org/draft/2020-12/schema"

MQTT_BINDING = "0.2.0"
"""The version of AsyncAPI's binding for MQTT."""


@dataclass(frozen=True, slots=True)
class Row:
    """A topic below the prefix; levels that are names are in braces, such as {camera}.

    `payload` is a model or any other type of pydantic. The gateway publishes to the topic, or receives from it when it
    is `received`, and then answers on the topic of the row named `reply`, if there is one.
    """

    name: str
    path: str
    payload: Any
    description: str
    qos: int = 1
    retain: bool = False
    content: str = JSON
    received: bool = False
    reply: str = ""

    @property
    def parameters(self) -> list[str]:
        """Return the names of levels, in order."""
        return re.findall(r"{(\w+)}", self.path)


def document(
    rows: Sequence[Row], parameters: Mapping[str, str], info: Mapping[str, object], prefix: str
) -> dict[str, Any]:
    """Return the AsyncAPI document. `parameters` describes each kind of name."""
    adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (row.name, _mode(row), TypeAdapter(row.payload)) for row in rows
    ]
    payloads, definitions = TypeAdapter.json_schemas(
        adapters, ref_template="#/components/schemas/{model}", schema_generator=Schemas
    )
    return {
        "asyncapi": "3.0.0",
        "info": dict(info),
        "defaultContentType": JSON,
        "channels": {row.name: _channel(row, prefix) for row in rows},
        "operations": {_operation_name(row): _operation(row) for row in rows},
        "components": {
            "messages": {
                row.name: {
                    "name": row.name,
                    "contentType": row.content,
                    "payload": payloads[row.name, _mode(row)],
                }
                for row in rows
            },
            "parameters": {
                name: {"description": parameters[name]}
                for name in dict.fromkeys(name for row in rows for name in row.parameters)
            },
            "schemas": dict(definitions.get("$defs", {})),
        },
    }


def schemas(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Return a complete JSON Schema for each model of a payload, by the model's name."""
    return {
        row.payload.__name__: {
            "$schema": DIALECT,
            **row.payload.model_json_schema(schema_generator=Schemas, mode=_mode(row)),
        }
        for row in rows
        if isinstance(row.payload, type) and issubclass(row.payload, Message)
    }


class Schemas(GenerateJsonSchema):
    """Makes pydantic's schemas without titles of fields; published payloads require all their fields.

    Tuples of one type become arrays of it: the dialect of AsyncAPI (draft 7) has no `prefixItems`.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002  (pydantic's own signature)
        return False

    def field_is_required(
        self, field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField, total: bool
    ) -> bool:
        return self.mode == "serialization" or super().field_is_required(field, total)

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        schema_ = super().tuple_schema(schema)
        places = schema_.get("prefixItems")
        if places and all(place == places[0] for place in places):
            del schema_["prefixItems"]
            schema_["items"] = places[0]
        return schema_


def _mode(row: Row) -> JsonSchemaMode:
    """Return the mode: published payloads have all fields, received ones may omit fields with a default."""
    return "validation" if row.received else "serialization"


def _channel(row: Row, prefix: str) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": f"{prefix}/{row.path}",
        "description": row.description,
        "messages": {row.name: {"$ref": f"#/components/messages/{row.name}"}},
    }
    if row.parameters:
        channel["parameters"] = {name: {"$ref": f"#/components/parameters/{name}"} for name in row.parameters}
    return channel


def _operation_name(row: Row) -> str:
    return ("hear" if row.received else "tell") + row.name[0].upper() + row.name[1:]


def _operation(row: Row) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "action": "receive" if row.received else "send",
        "channel": {"$ref": f"#/channels/{row.name}"},
        "messages": [{"$ref": f"#/channels/{row.name}/messages/{row.name}"}],
        "bindings": {"mqtt": {"qos": row.qos, "retain": row.retain, "bindingVersion": MQTT_BINDING}},
    }
    if row.reply:
        operation["reply"] = {"channel": {"$ref": f"#/channels/{row.reply}"}}
    return operation
