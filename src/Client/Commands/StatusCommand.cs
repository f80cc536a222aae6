using System.CommandLine;
using System.Globalization;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Chains;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>status</c>: what the server stores for this client.</summary>
internal static class StatusCommand
{
    public static CommandWithExamples Create()
    {
        var tree = new Option<bool>("--tree")
        {
            Description = "Also show the chains: each full backup and the incrementals based on it.",
        };
        var verb = new CommandWithExamples(
            "status",
            "Show what the server stores for this client: used space, quota, number of backups.",
            "zfs-client status",
            "zfs-client status --tree",
            "zfs-client status --json"
        )
        {
            tree,
        };
        verb.SetAction((parsed, cancellationToken) => RunAsync(parsed, parsed.GetValue(tree), cancellationToken));
        return verb;
    }

    private static async Task RunAsync(ParseResult parsed, bool tree, CancellationToken cancellationToken)
    {
        var connection = ServerConnection.Read(SettingsFiles.Read(ProgramSettings.Client));
        using var server = new ApiClient(connection);
        var status = await server.GetStatusAsync(cancellationToken);
        var output = Output.Of(parsed);
        IReadOnlyList<SnapshotInfo> backups = [];
        if (tree && !output.Json)
            backups = await server.GetSnapshotsAsync(cancellationToken);
        output.Result(status, ApiJson.Default.StatusAnswer, text =>
        {
            Write(text, connection, status);
            ChainTree.Write(text, backups);
        });
    }

    private static void Write(TextWriter text, ServerConnection connection, StatusAnswer status)
    {
        var quota =
            status.MaxSizeBytes == 0
                ? "no quota"
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"{100.0 * status.UsedBytes / status.MaxSizeBytes:0.0}% of {ByteSize.Format(status.MaxSizeBytes)}"
                );
        text.WriteLine($"Server:        {connection.ServerUrl}");
        text.WriteLine($"Client:        {status.ClientId}");
        text.WriteLine($"Storage:       {status.StorageType}");
        text.WriteLine($"Used:          {ByteSize.Format(status.UsedBytes)} ({quota})");
        text.WriteLine($"Backups:       {status.SnapshotCount}");
        text.WriteLine(
            $"Newest:        {(status.NewestSnapshot is { } newest ? Timestamps.ToSecond(newest) : "none")}"
                + (status.NewestReceivedAt is { } received ? $", arrived {Timestamps.ToSecond(received)}" : "")
        );
        if (status.WrongClockCount > 0)
            text.WriteLine(
                $"Wrong clock:   {status.WrongClockCount} of them have a time after their arrival; the arrival counts"
            );
        if (status.NextDue is { } due)
            text.WriteLine($"Next due:      {Timestamps.ToSecond(due)}");
        if (status.ExpiringCount > 0)
            text.WriteLine($"Expiring:      {status.ExpiringCount}");
        var reserved = status.ReservedBytes > 0 ? $", {ByteSize.Format(status.ReservedBytes)} reserved" : "";
        text.WriteLine($"Open uploads:  {status.OpenUploads}{reserved}");
    }
}
