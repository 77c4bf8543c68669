"""Whether a streamed answer can be read, and whether it arrives while it is written.

``event_stream`` reads the bytes: media type, framing, terminator, usage, errors.  ``delivery`` reads the arrival
times: a correct event stream that arrives in one piece at the end is not streaming for the user.
"""
