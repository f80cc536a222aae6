using System.Net;
using System.Text;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.SystemTests.Fixtures;

namespace ZfsSnapshotManager.SystemTests.S3;

/// <summary>Where no key may be written into a file: temporary keys, profiles, roles.</summary>
[Collection("s3")]
public sealed class S3CredentialsTests(Radosgw s3)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("environment")]
    [InlineData("profile")]
    [InlineData("container")]
    public async Task Without_keys_in_the_settings_those_of_the_environment_are_used(string source)
    {
        var folder = Repository.NewFolder("credentials");
        using var role = new ContainerRole(s3["S3_ACCESS_KEY"], s3["S3_SECRET_KEY"]);
        var profile = Path.Combine(folder, "credentials");
        await File.WriteAllTextAsync(
            profile,
            $"[backup]\naws_access_key_id = {s3["S3_ACCESS_KEY"]}\naws_secret_access_key = {s3["S3_SECRET_KEY"]}\n",
            Token
        );
        Dictionary<string, string> settings = new(StringComparer.Ordinal)
        {
            ["S3_ACCESS_KEY"] = "",
            ["S3_SECRET_KEY"] = "",
            ["AWS_EC2_METADATA_DISABLED"] = "true",
        };
        (string, string)[] more = source switch
        {
            "environment" =>
            [
                ("AWS_ACCESS_KEY_ID", s3["S3_ACCESS_KEY"]),
                ("AWS_SECRET_ACCESS_KEY", s3["S3_SECRET_KEY"]),
            ],
            "profile" => [("AWS_SHARED_CREDENTIALS_FILE", profile), ("AWS_PROFILE", "backup")],
            _ => [("AWS_CONTAINER_CREDENTIALS_FULL_URI", role.Address)],
        };
        foreach (var (key, value) in more)
            settings[key] = value;
        await using var lab = await S3Lab.StartAsync(s3, settings);

        (await lab.UploadAsync("tank/data")).MustSucceed();

        await lab.AssertVerifiesAsync();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>
    /// The radosgw of these tests issues no temporary keys: what it says to a token is no matter, only that it gets it.
    /// </summary>
    [Fact]
    public async Task A_session_token_comes_with_every_request()
    {
        await using var proxy = new FaultProxy(s3.Endpoint);
        var settings = s3.Settings(await s3.NewBucketAsync(), proxy.Endpoint);
        settings["S3_SESSION_TOKEN"] = "token-0123456789";
        settings["S3_RETRY_TIME"] = "0";
        await using var open = OpenBucket.OpenUnprobed(settings);

        try
        {
            await open.Store.PutNewAsync("small", new byte[10], "upload-1", ObjectKind.Stream, Token);
        }
        catch (StorageException)
        {
            // It does not know the token.
        }

        Assert.NotEmpty(proxy.Requests);
        Assert.All(proxy.Requests, request => Assert.Equal("token-0123456789", request["x-amz-security-token"]));
    }

    /// <summary>
    /// What a container's agent answers: docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html.
    /// </summary>
    private sealed class ContainerRole : IDisposable
    {
        private readonly HttpListener _listener = new();

        public ContainerRole(string accessKey, string secretKey)
        {
            Address = $"http://127.0.0.1:{LocalHttp.Listen(_listener)}/credentials/";
            _ = AnswerAsync(
                Encoding.UTF8.GetBytes(
                    $$"""
                    { "AccessKeyId": "{{accessKey}}", "SecretAccessKey": "{{secretKey}}", "Token": null,
                      "Expiration": "{{TimeProvider.System.GetUtcNow().AddHours(6):yyyy-MM-ddTHH:mm:ssZ}}" }
                    """
                )
            );
        }

        public string Address { get; }

        public void Dispose() => _listener.Close();

        private async Task AnswerAsync(byte[] answer)
        {
            try
            {
                while (true)
                {
                    var context = await _listener.GetContextAsync();
                    context.Response.ContentType = "application/json";
                    await context.Response.OutputStream.WriteAsync(answer);
                    context.Response.Close();
                }
            }
            catch (Exception e) when (e is ObjectDisposedException or HttpListenerException)
            {
                // The test is over.
            }
        }
    }
}
