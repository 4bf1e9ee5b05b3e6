"""How an OTLP attribute value is kept: its text, and one letter that says which member of `AnyValue` it was.

| letter | AnyValue member | text |
|---|---|---|
| `s` | string_value | the UTF-8 string |
| `i` | int_value | decimal |
| `d` | double_value | shortest decimal that reads back to the same double; `nan`, `inf`, `-inf` |
| `b` | bool_value | `true` or `false` |
| `a` | array_value | the serialised `ArrayValue` |
| `k` | kvlist_value | the serialised `KeyValueList` |
| `y` | bytes_value | the bytes |
| `e` | an `AnyValue` with no member set | empty |
| `n` | no `AnyValue` at all | empty |

Text, because the same `key = value` search must find 123, 123.0 and "123" alike (Jaeger's rule) and because people read
these columns; nested values stay as they came and are decoded only when somebody reads them.
"""

STRING, INT, DOUBLE, BOOL, ARRAY, KVLIST, BYTES, EMPTY, ABSENT = "sidbakyen"
