using System.CommandLine;
using System.Globalization;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>status</c>: what the server has of this client.</summary>
internal static class StatusCommand
{
    public static Verb Create()
    {
        var verb = new Verb("status", "Show what the server stores for this client: used space, quota, number of backups.", "zfs-client status", "zfs-client status --json");
        verb.SetAction(RunAsync);
        return verb;
    }

    private static async Task RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var connection = ServerConnection.Read(SettingsFiles.Read(ClientSettings.SystemFile));
        using var server = new ApiClient(connection);
        var status = await server.GetStatusAsync(cancellationToken).ConfigureAwait(false);
        new Output(parsed.GetValue(ProgramRunner.JsonOption)).Result(status, ApiJson.Default.StatusAnswer, text => Write(text, connection, status));
    }

    private static void Write(TextWriter text, ServerConnection connection, StatusAnswer status)
    {
        var quota = status.MaxSizeBytes == 0 ? "no quota" : string.Create(CultureInfo.InvariantCulture, $"{100.0 * status.UsedBytes / status.MaxSizeBytes:0.0}% of {ByteSize.Format(status.MaxSizeBytes)}");
        text.WriteLine($"Server:        {connection.ServerUrl}");
        text.WriteLine($"Client:        {status.ClientId}");
        text.WriteLine($"Storage:       {status.StorageType}");
        text.WriteLine($"Used:          {ByteSize.Format(status.UsedBytes)} ({quota})");
        text.WriteLine($"Backups:       {status.SnapshotCount}");
        text.WriteLine($"Newest:        {status.NewestSnapshot?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "none"}");
        text.WriteLine($"Open uploads:  {status.OpenUploads}");
    }
}
