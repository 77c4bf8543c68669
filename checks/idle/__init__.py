"""What the family proves: a silence on the wire does not cost the answer.

A hop that gives up on a silent connection shows in three faces: a timer counted from the
last byte, a deadline counted from the request, or connection state lost below HTTP.  Their
cures exclude each other, so they are told apart before anything is advised.
"""
