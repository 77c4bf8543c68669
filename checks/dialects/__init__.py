"""What the family proves: the Responses and Messages APIs, where they exist, serve the clients that use them.

``questions`` asks the same things of every dialect; a dialect (``responses``, ``messages``) writes the requests and
reads the answers, whole and streamed; ``judgement`` says what follows.
"""
