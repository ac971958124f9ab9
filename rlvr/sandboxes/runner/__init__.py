"""The runner: what runs inside a jail. Standard library alone, and nothing of rlvr's.

Its sources go over the link when a jail starts (`rlvr.sandboxes.bootstrap`), so a jail's image
holds a Python and no rlvr. Four roles, from the trusted to the hostile:

    broker   pid 1 of the jail. Owns the link to the host; makes the files that input and output go through.
    zygote   a warm interpreter that never reads a payload. It only clones itself.
    cell     pid 1 of the fresh namespaces that each program gets: fresh file systems, limits, a fork per test.
    program  what a model wrote: no capability, a user id of its own, a deny-list of system calls.

A cell is all that a program can see. What it printed goes to files that the broker owns, how it
ended is told by the cell; so neither can be forged, and nobody waits on a pipe.
"""
