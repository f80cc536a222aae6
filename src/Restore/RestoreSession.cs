using System.CommandLine;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore;

/// <summary>What every command that asks the server needs.</summary>
/// <param name="Pages">The memory for parts; one transfer at a time uses it.</param>
/// <param name="Verbose">Whether it tells how it works.</param>
internal sealed record RestoreSession(
    RestoreSettings Settings,
    ApiClient Server,
    Output Output,
    PagePool Pages,
    bool Verbose
) : IDisposable
{
    public static Option<bool> VerboseOption { get; } =
        new("--verbose") { Description = "Tell how the backup is fetched and decompressed." };

    public static RestoreSession Open(ParseResult parsed)
    {
        var settings = RestoreSettings.Read();
        return new RestoreSession(
            settings,
            new ApiClient(settings.Server),
            new Output(parsed.GetValue(ProgramRunner.JsonOption)),
            new PagePool(settings.PartMemory),
            parsed.GetValue(VerboseOption)
        );
    }

    /// <summary>A remark for those who asked how it works.</summary>
    public void Detail(string text)
    {
        if (Verbose)
            Output.Note(text);
    }

    public void Dispose()
    {
        Server.Dispose();
        Pages.Dispose();
    }
}
