"""Tool calling: whether the tools reach the model, whether its calls reach the client, and whose fault it is.

The checks, one file each:
    call       one question that wants the tool (refused: what a refusal means; called: what the answers say)
    choice     a forced tool_choice
    results    handing a result back
    streamed   the same question streamed
    parallel   two calls at once, and their two results

What they share, all of it pure but the asking:
    asks       the tools, the questions, the turns
    reading    one exchange read as an answer: calls, a leak, prose, a refusal
    refusals   what a refusal means
    reach      whether the tools were shown to the model at all
    faults     what is wrong with a structured call
    leaks      what is to be said of a call that was left in the text
    joins      what clients make of the deltas of a streamed call
    trials     how often, and how sure that makes us
    codes_*    the catalogue entries
"""
