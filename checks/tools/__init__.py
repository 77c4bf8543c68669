"""Tool calling: whether the tools reach the model, whether its calls reach the client, and who can fix a fault.

The checks, one file each: ``call`` (one question that needs the tool), ``choice`` (a forced tool_choice), ``results``
(handing a result back), ``echo`` and ``history`` (which fields come back), ``streamed`` and ``parallel`` (two calls,
streamed, and their results), ``agent_tools`` (tools as agents offer them), ``long_arguments``, ``call_limits`` (none,
and a call that is cut off), ``held`` (when text arrives with tools) and ``turn_orders`` (the orders of messages).

Shared by them: ``requests`` (what is sent), ``state`` (what tools.call found out), ``reading`` (one exchange read as an
answer), ``refusal``, ``prompt_growth``, ``structured_calls``, ``stream_assembly`` and ``leaked_calls`` (diagnosis) and
``catalogue`` (the finding codes).
"""
