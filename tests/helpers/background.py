"""Commands as a script starts them in the background (`command &`): the shell has Ctrl-C ignored for them."""

import os

# What follows it keeps the process id. Windows has neither the shell nor the habit.
IN_BACKGROUND = [] if os.name == "nt" else ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
