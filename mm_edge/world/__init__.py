"""Generated drives with known truth: what is seen, heard and signalled, what is asked, and what is right to say.

A drive follows from its integer seed. Seeds below 1,000,000 are for training, 1,000,000 to 1,999,999 for tuning and for
the benchmarks; those above belong to whoever judges the model.
"""
