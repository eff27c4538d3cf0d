"""What every event channel keeps: one suite, every channel of the registry.

Read it beside `eda_cli/channels/base.py`. What all can keep is said in words that all have (events by their ids, members by
their number); what needs more says so by `@needs`, and on a channel that lacks it is a strict xfail with the registry's
reason. `@lacking` says what such a channel does instead.
"""
