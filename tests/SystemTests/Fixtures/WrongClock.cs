using System.Globalization;

namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>Puts the wall clock of a program wrong, by clock_off.c.</summary>
internal sealed class WrongClock : IDisposable
{
    private readonly string _folder = Repository.NewFolder("clock");

    private string Offset => Path.Combine(_folder, "offset");

    public void Set(TimeSpan offset)
    {
        File.WriteAllText(Offset + ".new", ((long)offset.TotalSeconds).ToString(CultureInfo.InvariantCulture));
        File.Move(Offset + ".new", Offset, overwrite: true); // never half written
    }

    public async Task<Dictionary<string, string>> SettingsAsync() =>
        new(StringComparer.Ordinal)
        {
            ["LD_PRELOAD"] = await PreloadedLibrary.CompileAsync("Fixtures/clock_off.c"),
            ["ZSM_CLOCK_FILE"] = Offset,
        };

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
