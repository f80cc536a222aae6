using System.CommandLine;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Restore.Configuration;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>What every command that talks to the server needs.</summary>
/// <param name="Pages">The memory for parts; used by one transfer at a time.</param>
/// <param name="Verbose">Whether details are printed.</param>
internal sealed record RestoreSession(
    RestoreSettings Settings,
    ApiClient Server,
    Output Output,
    PagePool Pages,
    bool Verbose
) : IDisposable
{
    /// <summary>What this run knows of the server's manifests.</summary>
    public ManifestHeaders Manifests { get; } = new();

    public static Option<bool> VerboseOption { get; } =
        new("--verbose") { Description = "Print details about download and decompression." };

    public static RestoreSession Open(ParseResult parsed)
    {
        var settings = RestoreSettings.Read();
        return new RestoreSession(
            settings,
            new ApiClient(settings.Server),
            Output.Of(parsed),
            new PagePool(settings.PartMemory),
            parsed.GetValue(VerboseOption)
        );
    }

    /// <summary>Prints a remark if --verbose was given.</summary>
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
