"""`python -m simulated_executions --seeds N --seed-from M`: that many worlds; exit 1 where a promise was broken."""

from __future__ import annotations

import sys

from simulated_executions.many import main

sys.exit(main(sys.argv[1:]))
