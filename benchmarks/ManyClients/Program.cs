using System.Globalization;
using ZfsSnapshotManager.ManyClients;

// Loads one server with many clients at once, with bytes that were prepared before, and prints what it took: wall
// seconds, CPU seconds of the server, and its peak memory in MiB.
//   backups  each client sends its share of so many MiB as one full backup, in parts, as zfs-client does
//   files    the same parts as files by PUT, to a WebDAV server
//   small    the clients together send so many incrementals of 100 kB
// usage: ManyClients backups|files|small URL PIDS CLIENTS MIB_OR_COUNT [KEYS]
//   PIDS  processes of the server, separated by commas     KEYS  a file with "CLIENT_ID API_KEY" in each line
if (args is not [var what, var url, var processes, var clients, var amount, .. var rest] || rest.Length > 1)
{
    Console.Error.WriteLine("usage: ManyClients backups|files|small URL PIDS CLIENTS MIB_OR_COUNT [KEYS]");
    return 2;
}

var count = int.Parse(clients, CultureInfo.InvariantCulture);
var each = int.Parse(amount, CultureInfo.InvariantCulture) / count;
using var http = new HttpClient { BaseAddress = new Uri(url), Timeout = TimeSpan.FromMinutes(10) };
var loads = Enumerable
    .Range(0, count)
    .Select(
        ILoad (client) =>
            what switch
            {
                "files" => new FileLoad(http, $"client{client}"),
                "backups" => new BackupLoad(http, Credentials(client)),
                "small" => new SmallLoad(http, Credentials(client)),
                _ => throw new InvalidOperationException($"nothing is called {what}"),
            }
    )
    .ToList();
foreach (var load in loads)
    load.Prepare(each);

var server = new MeasuredServer([.. processes.Split(',').Select(id => int.Parse(id, CultureInfo.InvariantCulture))]);
await Task.WhenAll(loads.Select(load => Task.Run(load.RunAsync)));
Console.WriteLine(server.Read());
return 0;

string[] Credentials(int client) => File.ReadLines(rest[0]).ElementAt(client).Split(' ');
