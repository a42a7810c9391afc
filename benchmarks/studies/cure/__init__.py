"""Claim: kernel preconditioning and energy norms cure a plain network of its spectral bias with one line, in at most a
tenth of the steps and a fifth of the time of tuned MSE and Adam on sines; cure.md has the targets and what was found.

Eleven tasks, each by the plain network under mean squared error and Adam, by fastspec's ways, by what others would use,
and without a network. Thresholds were fixed, and each side's settings tuned on a seed of their own, before the five
seeds were run.

    python -m benchmarks.studies.cure [--quick] [task ...]    runs what cure.csv in benchmarks/results lacks
    python -m benchmarks.studies.cure --paces                 times steps, for cure_paces.csv
    python -m benchmarks.studies.cure --table --figure        writes cure.md and cure.png, and docs/cure.png

problem: what a task and a side are. tasks, physics: the data. sides, rivals, direct: the ways to train, or not to.
suite: which side is given to which task, for how long. train: one run, and tuning. records, summary, table, drawing:
runs as rows, medians, words, figures.
"""
