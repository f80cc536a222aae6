using System.CommandLine;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.Restore;

/// <summary>What every command that asks the server needs.</summary>
internal sealed record RestoreSession(ApiClient Server, Output Output) : IDisposable
{
    /// <summary>The client's file: one machine, one key, both programs.</summary>
    private const string SystemFile = "/etc/zfs-client.env";

    public static RestoreSession Open(ParseResult parsed) =>
        new(new ApiClient(ServerConnection.Read(SettingsFiles.Read(SystemFile))), new Output(parsed.GetValue(ProgramRunner.JsonOption)));

    public void Dispose() => Server.Dispose();
}
