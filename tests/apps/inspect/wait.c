// Says that it is ready and waits until its input is closed.
#include <stdio.h>

int main(void) {
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
