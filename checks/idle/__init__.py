"""Whether long silences on the connection are survived.

A hop may end a silent connection by a timer counted from the last byte, by a deadline counted from the request,
or by losing connection state below HTTP.  Their remedies exclude each other, so the cause is determined first.
"""
