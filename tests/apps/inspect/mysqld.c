// Stands for the MySQL server, which Debian does not have: a program of that name which holds the constant that every
// `mysqld` does, the name of its group of options (MYSQL_BASE_VERSION of include/mysql_version.h).
#include <stdio.h>

const char *const groups[] = {"mysqld", "server", "mysqld-8.4"};

int main(void) {
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return groups[2][0] != 'm';
}
