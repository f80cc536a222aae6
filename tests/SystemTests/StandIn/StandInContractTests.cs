using System.Text;
using System.Text.RegularExpressions;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.StandIn;

/// <summary>
/// The stand-in for <c>zfs</c> answers as real ZFS does: one list of commands, <c>commands.txt</c>, is run on both, and
/// exit codes, outputs and error outputs are compared. It answers as <see cref="VersionOfWords"/>; where other versions
/// say it otherwise is in <c>differences.txt</c>.
/// </summary>
[Collection("zfs")]
public sealed partial class StandInContractTests(ZfsHost host)
{
    private const string VersionOfWords = "2.3.2";

    private static readonly string Folder = Path.Combine(Repository.Root, "tests", "SystemTests", "StandIn");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_command_ends_as_on_real_ZFS_with_the_same_words()
    {
        await host.StartAsync();
        var standIn = new StandInHost();

        var expected = await RunListAsync(host);
        var actual = await RunListAsync(standIn);
        var known = await KnownDifferencesAsync();

        await standIn.RemoveClientAsync("", standIn.NewFolder("client", ""));
        string[] differences =
        [
            .. expected
                .Zip(actual)
                .Where(pair => pair.First != pair.Second && !known.Any(difference => difference.Explains(pair)))
                .Select(pair => $"real ZFS:\n{pair.First}\nthe stand-in:\n{pair.Second}"),
        ];
        Assert.Equal(expected.Count, actual.Count);
        Assert.True(expected.Count > 150, $"only {expected.Count} commands were run");
        Assert.True(differences is [], string.Join("\n\n", differences));
    }

    /// <summary>
    /// A stream of the stand-in goes into real ZFS, cut at several places, also in what continues it: both write the
    /// same tokens, character for character, and in the end both have the snapshot.
    /// </summary>
    [Fact]
    public async Task Real_ZFS_receives_its_streams_and_makes_the_same_tokens_of_them()
    {
        await host.StartAsync();
        var standIn = new StandInHost();
        var folder = $"/tmp/tokens-{Guid.NewGuid():N}";
        await standIn.OutputAsync(
            $"mkdir {folder} && cd {folder} && zfs create tank/source && zfs stand-in write tank/source large 3000000 "
                + "small 700 && zfs snapshot tank/source@s && zfs send -L tank/source@s > full && head -c 1000000 full "
                + "| zfs receive -s -u tank/cut@s 2> /dev/null; zfs send -t $(zfs get -H -o value "
                + "receive_resume_token tank/cut) > rest"
        );
        await host.OutputAsync($"mkdir {folder}");
        foreach (var file in (string[])["full", "rest"])
        {
            var stream = await File.ReadAllBytesAsync(Path.Combine(folder, file), Token);
            (await host.RunAsync($"cat > {folder}/{file}", stream)).MustSucceed();
        }

        var expected = await ReceiveCutAsync(host, folder);
        var actual = await ReceiveCutAsync(standIn, folder);

        await host.OutputAsync($"rm -r {folder}");
        Directory.Delete(folder, recursive: true);
        await standIn.RemoveClientAsync("", standIn.NewFolder("client", ""));
        if (await host.VersionAsync() == VersionOfWords)
        {
            Assert.Equal(7, expected.Distinct(StringComparer.Ordinal).Count());
            Assert.Equal(expected, actual);
            return;
        }

        // Other versions may keep a record less of what was cut.
        Assert.Equal(expected.Length, actual.Length);
        Assert.Equal(expected[^1], actual[^1]);
        Assert.All(expected.Zip(actual).SkipLast(1), pair =>
        {
            var (real, made) = (ResumeToken.Parse(pair.First), ResumeToken.Parse(pair.Second));
            Assert.Equal(real.SnapshotGuid, made.SnapshotGuid);
            Assert.True(real.Bytes <= made.Bytes, $"{real.Bytes} bytes, and {made.Bytes} by the stand-in");
        });
    }

    private async Task<IReadOnlyList<Difference>> KnownDifferencesAsync()
    {
        var version = await host.VersionAsync();
        return
        [
            .. (await File.ReadAllLinesAsync(Path.Combine(Folder, "differences.txt"), Token))
                .Where(line => line.Length > 0 && line[0] != '#')
                .Select(line => line.Split(" | "))
                .Where(columns =>
                    columns[0].Split(' ').Any(of => $"{version}.".StartsWith($"{of}.", StringComparison.Ordinal))
                )
                .Select(columns => new Difference(string.Join(" | ", columns[1..^1]), columns[^1])),
        ];
    }

    /// <returns>Tokens, and the GUID of the snapshot.</returns>
    private static async Task<string[]> ReceiveCutAsync(ClientHost on, string folder)
    {
        var target = $"{on.Pool}/tokens{Guid.NewGuid().ToString("N")[..8]}";
        var token = $"zfs get -H -o value receive_resume_token {target}";
        var output = await on.OutputAsync(
            $"cd {folder}; for n in 700 1300 140000 1000000 2500000; do head -c $n full | zfs receive -s -u {target}@s "
                + $"2> /dev/null; {token}; zfs destroy -r {target}; done; head -c 1000000 full | zfs receive -s -u "
                + $"{target}@s 2> /dev/null; {token}; for n in 600 500000; do head -c $n rest | zfs receive -s -u "
                + $"{target}@s 2> /dev/null; {token}; done; zfs destroy -r {target}; head -c 1000000 full | zfs "
                + $"receive -s -u {target}@s 2> /dev/null; zfs receive -s -u {target}@s < rest && zfs get -H -o value "
                + $"guid {target}@s; zfs destroy -r {target}"
        );
        return output.Split('\n');
    }

    private static async Task<IReadOnlyList<string>> RunListAsync(ClientHost on)
    {
        var folder = $"/tmp/contract-{Guid.NewGuid():N}";
        await on.OutputAsync($"mkdir {folder}");
        foreach (var file in (string[])["run-commands.sh", "commands.txt"])
        {
            var text = await File.ReadAllBytesAsync(Path.Combine(Folder, file), Token);
            (await on.RunAsync($"cat > {folder}/{file}", text)).MustSucceed();
        }

        var area = $"{on.Pool}/contract{Guid.NewGuid().ToString("N")[..8]}";
        var output = await on.OutputAsync($"sh {folder}/run-commands.sh {area} {folder}/commands.txt");
        await on.OutputAsync($"rm -r {folder}");
        return [.. Normalize(output, area).Split("=== ", StringSplitOptions.RemoveEmptyEntries)];
    }

    /// <summary>
    /// What is another on every machine, and what nobody reads: names, GUIDs, sizes, tokens, the page that follows the
    /// word "usage".
    /// </summary>
    private static string Normalize(string output, string area)
    {
        var text = output.Replace(area, "AREA", StringComparison.Ordinal);
        text = Usage().Replace(text, "usage:\n\n");
        text = TokenText().Replace(text, "TOKEN");
        return Number().Replace(text, "NUMBER");
    }

    /// <param name="Command">As in the list.</param>
    /// <param name="Words">What real ZFS prints instead.</param>
    private sealed record Difference(string Command, string Words)
    {
        /// <summary>The exit code is the same on all versions.</summary>
        public bool Explains((string Real, string StandIn) answers) =>
            answers.Real.StartsWith($"{Command}\n", StringComparison.Ordinal)
            && answers.Real.Contains(Words, StringComparison.Ordinal)
            && answers.Real.Split('\n')[1] == answers.StandIn.Split('\n')[1];
    }

    [GeneratedRegex(@"usage:.*?(?=^=== |\z)", RegexOptions.Singleline | RegexOptions.Multiline, 10_000)]
    private static partial Regex Usage();

    [GeneratedRegex("1-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+", RegexOptions.None, 10_000)]
    private static partial Regex TokenText();

    [GeneratedRegex("0x[0-9a-f]{4,}|[0-9]{5,}", RegexOptions.None, 10_000)]
    private static partial Regex Number();
}
