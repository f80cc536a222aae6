using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>
/// S3 refuses requests signed with a time too far from its own. A server whose clock is wrong reports it and still
/// works.
/// </summary>
[Collection("s3")]
public sealed class S3ClockTests(Radosgw s3)
{
    [Theory]
    [InlineData(21, "21 minutes ahead of")]
    [InlineData(-21, "21 minutes behind")]
    [InlineData(60 * 24 * 400, "576000 minutes ahead of")]
    public async Task A_server_whose_clock_is_wrong_says_by_how_much_and_works(int minutes, string says)
    {
        using var clock = new WrongClock();
        clock.Set(TimeSpan.FromMinutes(minutes));
        await using var lab = await S3Lab.StartAsync(s3, await clock.SettingsAsync());

        await lab.Server.MustLogAsync($"RequestTimeTooSkewed (this server's clock is {says} S3's");
        (await lab.UploadAsync("tank/small", 1)).MustSucceed();
        (await lab.UploadAsync("tank/large")).MustSucceed();
        await lab.AssertHoldsWhatIsListedAsync(2);
        await lab.AssertVerifiesAsync();

        var check = await lab.Server.RunAsync("catalogue", "check", "--deep");
        Assert.True(check.ExitCode == 0, check.Text);
        Assert.Contains(says, check.Error, StringComparison.Ordinal);
        var doctor = await DoctorReport.RunAsync(lab.Server);
        Assert.Equal((0, $"{says} S3's"), (doctor.ExitCode, doctor.Find("clock").Message));
    }

    [Fact]
    public async Task A_clock_that_is_wrong_for_a_while_during_an_upload_only_delays_it()
    {
        using var clock = new WrongClock();
        var settings = await clock.SettingsAsync();
        settings["S3_PART_SIZE_MIB"] = "5"; // more parts than are ever on their way at once
        await using var lab = await S3Lab.StartAsync(s3, settings);

        foreach (var minutes in (int[])[-30, 30, 0])
        {
            lab.Proxy.Forget();
            // So slow that, on any machine, parts are left to send when the clock changes.
            lab.Proxy.BytesPerSecond = 100_000;
            var sending = lab.UploadAsync($"tank/clock{minutes + 100}", 900);
            await Patience.UntilAsync("two parts are on their way", () => lab.Proxy.Count(S3Kind.UploadPart) >= 2);
            clock.Set(TimeSpan.FromMinutes(minutes));
            lab.Proxy.BytesPerSecond = 0;
            (await sending).MustSucceed();
        }

        foreach (var words in (string[])["30 minutes behind", "30 minutes ahead of"])
            await lab.Server.MustLogAsync(words);
        await lab.AssertHoldsWhatIsListedAsync(3);
        await lab.AssertVerifiesAsync();
    }
}
