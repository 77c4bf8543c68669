"""What the family proves: a streamed answer is an event stream that clients can read, and it comes while
it is written.

Two questions that are often taken for one.  ``shape`` reads the bytes: media type, framing,
terminator, usage, errors, characters.  ``delivery`` reads the clock: a perfect event stream that
arrives in one piece at the end is no stream to the person who waits for it.
"""
