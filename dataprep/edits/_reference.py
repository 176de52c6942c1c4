"""E-mail and IPv4 addresses as datatrove 0.10 finds them (pipeline/formatters/pii.py): what the kernels must equal.

Apache-2.0, the datatrove authors. E-mail addresses are replaced first, then IPv4 addresses in what is left.
"""

import re

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
EMAIL = re.compile(
    rf"\b{_LOCAL}(?:\.{_LOCAL})*@(?:(?:{_LABEL}\.)+{_LABEL}"
    rf"|\[(?:{_OCTET}\.){{3}}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?|[A-Za-z0-9-]*[A-Za-z0-9]:)])"
)
IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")
