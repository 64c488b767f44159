/* Port 3000 is in server.c. */
#define REPORT_MAX 3000
#define SUPPORT_ID 8080
#define EXPORT_CHUNK 5000
enum { IMPORT = 1000, TRANSPORT = 2000 };
static const int years[] = {2020, 2024};
static const unsigned short table[] = {3000, 8080, 443};
int portable(int x) { return x == 8080 || x > 3000; }
