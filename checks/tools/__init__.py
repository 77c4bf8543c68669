"""Tool calling: whether the tools reach the model, whether its calls reach the client, and who can fix a fault.

The checks, one file each: ``call`` (one question that needs the tool), ``choice`` (a forced tool_choice), ``results``
(handing a result back), ``streamed`` (the same question streamed) and ``parallel`` (two calls and their results).

Shared by them: ``requests`` (what is sent), ``state`` (what tools.call found out), ``reading`` (one exchange read as an
answer), ``refusal``, ``prompt_growth``, ``structured_calls``, ``stream_assembly`` and ``leaked_calls`` (diagnosis) and
``catalogue`` (the finding codes).
"""
