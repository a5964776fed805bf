/* A wall clock that somebody sets: preloaded, it adds the seconds that stand in a file, as a number of eight bytes, to what
 * the kernel says. The monotonic clock is left alone. The kernel has no namespace for the wall clock, and to set it for the
 * whole machine is not for a test to do. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t jump(void)
{
	static const volatile int64_t *seconds;
	if (!seconds) {
		int file = open(getenv("WALL_CLOCK_JUMP"), O_RDONLY | O_CLOEXEC);
		seconds = mmap(NULL, sizeof(*seconds), PROT_READ, MAP_SHARED, file, 0);
		close(file);
	}
	return *seconds;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int result = syscall(SYS_clock_gettime, clock, time);
	if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		time->tv_sec += jump();
	return result;
}

int gettimeofday(struct timeval *time, void *zone)
{
	int result = syscall(SYS_gettimeofday, time, zone);
	if (!result)
		time->tv_sec += jump();
	return result;
}

time_t time(time_t *result)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (result)
		*result = now.tv_sec;
	return now.tv_sec;
}
