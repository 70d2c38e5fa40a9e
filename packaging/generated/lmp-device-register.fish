# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_lmp_device_register_global_optspecs
    string join \n d/sota-dir= config-dir= json verbose connect-timeout= read-timeout= request-timeout= f/factory= u/uuid= n/name= g/device-group= i/hwid= t/tags= p/production= v/validate-uuid= a/apps= A/restorable-apps= use-ostree-server= start-daemon= T/api-token= api-token-file= H/api-token-header= m/hsm-module= hsm-token-label= P/hsm-pin= hsm-pin-file= S/hsm-so-pin= hsm-so-pin-file= hsm-allow-final-try retry-for= device-api= oauth-base= ca-file= force= l/mlock-all= dry-run wait-clock= os-release= update-client-lock= h/help V/version
end

function __fish_lmp_device_register_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_lmp_device_register_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_lmp_device_register_using_subcommand
    set -l cmd (__fish_lmp_device_register_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s d -l sota-dir -d 'Where keys and configuration go [/var/sota]' -r -f -a "(__fish_complete_directories)"
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l config-dir -d 'Read settings from DIR [/etc/lmp-device-register]' -r -f -a "(__fish_complete_directories)"
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l connect-timeout -d 'Seconds to wait for a connection [10]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l read-timeout -d 'Seconds to wait for the next bytes [30]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l request-timeout -d 'Seconds that one whole request may take [60]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s f -l factory -d 'Factory [environment, or os-release]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s u -l uuid -d 'Device UUID, becomes the certificate\'s CN [random]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s n -l name -d 'Device name [the UUID]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s g -l device-group -d 'Device group' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s i -l hwid -d 'Hardware id [built in, or os-release]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s t -l tags -d 'Tags to follow [os-release]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s p -l production -d 'Production device [false; $PRODUCTION if set]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s v -l validate-uuid -d 'Refuse a UUID that is not 8-4-4-4-12 hex [true]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s a -l apps -d 'Apps to run, separated by commas' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s A -l restorable-apps -d 'Apps to restore after a reset [one space: all]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l use-ostree-server -d 'Use the OSTree proxy server [true]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l start-daemon -d 'Start the update client afterwards [true]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s T -l api-token -d 'API token (visible to others: prefer a file)' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l api-token-file -d 'Read the API token from the first line of FILE, or -' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s H -l api-token-header -d 'Header that carries the API token [OSF-TOKEN]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s m -l hsm-module -d 'PKCS#11 library or RFC 7512 URI: key on a token' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l hsm-token-label -d 'Label of the token [aktualizr]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s P -l hsm-pin -d 'User PIN (visible to others: prefer a file)' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l hsm-pin-file -d 'Read the user PIN from the first line of FILE, or -' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s S -l hsm-so-pin -d 'Security officer PIN, to initialise a token' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l hsm-so-pin-file -d 'Read the security officer PIN from FILE, or -' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l retry-for -d 'Try again for so long; 0 is one attempt [120]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l device-api -d 'Registration API [$DEVICE_API, or the vendor\'s]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l oauth-base -d 'Approval server [$OAUTH_BASE, or API\'s /oauth]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l ca-file -d 'Trust only the CAs in FILE (PEM) for the backend' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l force -d 'Replace an earlier registration [false]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s l -l mlock-all -d 'Lock memory so that keys are never swapped out [true]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l wait-clock -d 'Wait so long for the clock to be set, if it is wrong [0]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l os-release -d 'Read os-release from FILE [/etc/os-release]' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l update-client-lock -d 'Lock file of the update client [/var/lock/aklite.lock]' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l json -d 'Print the result as one JSON object'
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l verbose -d 'Say where each setting came from, and each step'
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l hsm-allow-final-try -d 'Log in even if one wrong PIN would lock the token'
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -l dry-run -d 'Print what would be done, and change nothing'
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s h -l help -d 'Print help'
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -s V -l version -d 'Print version'
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -f -a "check" -d 'Tell whether this device is registered and can talk to its gateway'
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -f -a "auto" -d 'Register with nobody watching, from files and credentials'
complete -c lmp-device-register -n "__fish_lmp_device_register_needs_command" -f -a "unregister" -d 'Remove this device\'s registration'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand check" -s d -l sota-dir -d 'Where keys and configuration go [/var/sota]' -r -f -a "(__fish_complete_directories)"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand check" -l config-dir -d 'Read settings from DIR [/etc/lmp-device-register]' -r -f -a "(__fish_complete_directories)"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand check" -l connect-timeout -d 'Seconds to wait for a connection [10]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand check" -l read-timeout -d 'Seconds to wait for the next bytes [30]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand check" -l request-timeout -d 'Seconds that one whole request may take [60]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand check" -l offline -d 'Look at the files only, do not connect'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand check" -l json -d 'Print the result as one JSON object'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand check" -l verbose -d 'Say where each setting came from, and each step'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand check" -s h -l help -d 'Print help'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s f -l factory -d 'Factory [environment, or os-release]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s u -l uuid -d 'Device UUID, becomes the certificate\'s CN [random]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s n -l name -d 'Device name [the UUID]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s g -l device-group -d 'Device group' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s i -l hwid -d 'Hardware id [built in, or os-release]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s t -l tags -d 'Tags to follow [os-release]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s p -l production -d 'Production device [false; $PRODUCTION if set]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s v -l validate-uuid -d 'Refuse a UUID that is not 8-4-4-4-12 hex [true]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s a -l apps -d 'Apps to run, separated by commas' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s A -l restorable-apps -d 'Apps to restore after a reset [one space: all]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l use-ostree-server -d 'Use the OSTree proxy server [true]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l start-daemon -d 'Start the update client afterwards [true]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s T -l api-token -d 'API token (visible to others: prefer a file)' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l api-token-file -d 'Read the API token from the first line of FILE, or -' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s H -l api-token-header -d 'Header that carries the API token [OSF-TOKEN]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s m -l hsm-module -d 'PKCS#11 library or RFC 7512 URI: key on a token' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l hsm-token-label -d 'Label of the token [aktualizr]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s P -l hsm-pin -d 'User PIN (visible to others: prefer a file)' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l hsm-pin-file -d 'Read the user PIN from the first line of FILE, or -' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s S -l hsm-so-pin -d 'Security officer PIN, to initialise a token' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l hsm-so-pin-file -d 'Read the security officer PIN from FILE, or -' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l retry-for -d 'Try again for so long; 0 is one attempt [120]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l device-api -d 'Registration API [$DEVICE_API, or the vendor\'s]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l oauth-base -d 'Approval server [$OAUTH_BASE, or API\'s /oauth]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l ca-file -d 'Trust only the CAs in FILE (PEM) for the backend' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l force -d 'Replace an earlier registration [false]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s l -l mlock-all -d 'Lock memory so that keys are never swapped out [true]' -r -f -a "true\t''
false\t''"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l wait-clock -d 'Wait so long for the clock to be set, if it is wrong [0]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l os-release -d 'Read os-release from FILE [/etc/os-release]' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l update-client-lock -d 'Lock file of the update client [/var/lock/aklite.lock]' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s d -l sota-dir -d 'Where keys and configuration go [/var/sota]' -r -f -a "(__fish_complete_directories)"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l config-dir -d 'Read settings from DIR [/etc/lmp-device-register]' -r -f -a "(__fish_complete_directories)"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l connect-timeout -d 'Seconds to wait for a connection [10]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l read-timeout -d 'Seconds to wait for the next bytes [30]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l request-timeout -d 'Seconds that one whole request may take [60]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l hsm-allow-final-try -d 'Log in even if one wrong PIN would lock the token'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l dry-run -d 'Print what would be done, and change nothing'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l json -d 'Print the result as one JSON object'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -l verbose -d 'Say where each setting came from, and each step'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand auto" -s h -l help -d 'Print help'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -l hsm-pin-file -d 'User PIN of a token that sota.toml does not name yet' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -l update-client-lock -d 'Lock file of the update client [/var/lock/aklite.lock]' -r -F
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -s d -l sota-dir -d 'Where keys and configuration go [/var/sota]' -r -f -a "(__fish_complete_directories)"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -l config-dir -d 'Read settings from DIR [/etc/lmp-device-register]' -r -f -a "(__fish_complete_directories)"
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -l connect-timeout -d 'Seconds to wait for a connection [10]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -l read-timeout -d 'Seconds to wait for the next bytes [30]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -l request-timeout -d 'Seconds that one whole request may take [60]' -r
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -l yes -d 'Do not ask'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -l keep-token -d 'Leave the objects on the token where they are'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -l json -d 'Print the result as one JSON object'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -l verbose -d 'Say where each setting came from, and each step'
complete -c lmp-device-register -n "__fish_lmp_device_register_using_subcommand unregister" -s h -l help -d 'Print help'
