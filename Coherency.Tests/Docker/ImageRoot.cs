using Coherency.Tests.Published;

namespace Coherency.Tests.Docker;

/// <summary>The image's file system, made as docker/Dockerfile says, without an engine; gone when disposed.</summary>
internal sealed class ImageRoot : IDisposable
{
    private readonly ImageFile _image;
    private readonly CopiedRoot _root = new("image-root");

    public ImageRoot(PublishedDaemon published, ImageFile image)
    {
        _image = image;
        foreach (string command in _image.Commands)
        {
            CopiedRoot.RunOnHost("chroot", [_root.Directory, "/bin/sh", "-c", command]);
        }

        foreach ((string from, string to) in _image.Copies)
        {
            File.Copy(Path.Combine(published.Folder, Path.GetRelativePath("/publish", from)), Inside(to));
        }
    }

    /// <summary>Where a path of the image is, on the host.</summary>
    public string Inside(string path) => _root.Inside(path);

    /// <summary>
    /// The arguments of <c>unshare</c> with which a command of the image runs as the image's user with the image's environment and
    /// nothing else.
    /// </summary>
    /// <param name="user">USER:GROUP, if it is to be another one.</param>
    public IEnumerable<string> Enter(IEnumerable<string> command, string? user = null) =>
        _root.Enter(command, user ?? _image.User, _image.Environment);

    public void Dispose() => _root.Dispose();
}
