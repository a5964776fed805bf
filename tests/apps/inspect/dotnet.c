// Stands for the `dotnet` host, which cannot be installed everywhere: it maps the library that its environment names,
// as the host maps the runtime, says that it is ready and waits until its input is closed.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    if (!dlopen(getenv("RUNTIME"), RTLD_NOW)) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
