<?php
// Says that it is ready and waits until its input is closed.
echo "ready\n";
stream_get_contents(STDIN);
