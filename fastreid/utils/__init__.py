"""Code shared by the other packages, which it does not import.

Folders:
    ``checkpoint`` (checkpoints and weights files), ``command_line`` (exit codes, Ctrl-C, output),
    ``compute_dist`` (distances), ``file_io`` (paths), ``messages`` (error messages),
    ``machine`` (cores), ``processor`` (threads, products of matrices), ``visualizer`` (plots).
Files:
    ``registry``, ``logger``, ``events`` with ``history_buffer`` (metrics of a run), ``comm`` (ranks
    and collectives), ``scheduler`` and ``processes`` (processes of a job), ``env``
    (random states), ``collect_env`` (versions), ``parameters``, ``labels`` (identities and
    cameras), ``atomic_file``.
"""
